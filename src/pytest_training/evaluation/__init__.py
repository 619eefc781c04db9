"""Judge predictions: from one record of them metrics, their intervals, the dummy, comparisons.

Plain functions, for a job's own process, the audit and console commands; pytest's own process imports `result` alone.
"""
