"""Statistics as HTML: the page of some days, and the index of a data folder's reports."""
