"""The only room that decides how much, how fast, again or not."""
