"""From solutions to what students get: markers, notebooks, releases."""
