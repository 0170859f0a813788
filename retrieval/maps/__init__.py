"""Places and how they are drawn; nothing of satellites."""
