"""Networks: what builds them and draws them."""
