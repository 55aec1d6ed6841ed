"""The only room that prints and exits: one file a command."""
