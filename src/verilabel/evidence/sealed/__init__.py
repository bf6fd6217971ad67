"""Records withheld from a bundle: commitments in their place, and challenges that open some of them."""
