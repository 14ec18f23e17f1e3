"""A faithful, Linux-like TCP/IP in a simulated world, where anything can fail at any instant."""

from halfopen.base import build

build.prefer_sources()  # before any module that has a compiled twin is imported

__all__: list[str] = []
