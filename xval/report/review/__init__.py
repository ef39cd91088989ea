"""The page on which people judge labels that may be wrong: what it shows, and the server of this machine that shows it."""
