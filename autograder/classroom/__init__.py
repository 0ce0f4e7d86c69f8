"""A class: layouts of downloads, the store of results, dask's workers, rosters and gradebooks, nbgrader's hand-ins."""
