"""What the tests of the plugin share."""

pytest_plugins = ["pytester"]
