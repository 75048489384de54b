"""``recoq submit``: sends many images to a specification and writes what it says of each."""
