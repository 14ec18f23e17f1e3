"""A faithful, Linux-like TCP/IP in a simulated world, where anything can fail at any instant."""

from halfopen.base.build import prefer_sources

prefer_sources()  # before any module that has a compiled twin is imported

__all__: list[str] = []
