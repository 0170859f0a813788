"""Tables and figures that the other commands wrote, as one HTML page."""
