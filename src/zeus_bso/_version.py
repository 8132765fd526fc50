"""The version of zeus-bso. The build, the command line and the server all read it from here."""

__version__ = "0.1.0"
