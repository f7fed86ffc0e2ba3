"""A catalogue that is drawn, not collected: products with packs, sellers' mistakes, and the truth."""
