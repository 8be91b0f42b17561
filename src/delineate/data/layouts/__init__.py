"""How data sets are laid out on disk; each layout recognises its own and refuses the rest."""
