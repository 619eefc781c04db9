"""How an attempt's process is started, one file or folder for each way."""
