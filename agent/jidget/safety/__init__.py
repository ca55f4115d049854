"""The safety guard: between everybody who wants to set something and the Things (DESIGN 4.4, Safety)."""
