"""An inspection as text, HTML page and picture; reads data alone."""
