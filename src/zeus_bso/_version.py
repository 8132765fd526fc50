"""The version of zeus-bso. The build, the command line and the server all read it from here."""

__version__ = "0.2.0"
"""The version of the package.

Examples:
    >>> import zeus_bso
    >>> len(zeus_bso.__version__.split("."))
    3
"""
