"""What a record of predictions says: metrics, intervals, comparisons, and what a reader must know of the people."""
