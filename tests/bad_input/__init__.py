"""Every kind of bad file that people have, made by hand, and what must become of each."""
