"""An orbit in, an orbit out: the a priori exchanged."""
