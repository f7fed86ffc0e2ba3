"""What the report shows: findings, cards, crops, charts and the page around them."""
