"""What the attacks use: the small world of the fixes, and server processes."""

from tests.system.fixes.conftest import starter, world

__all__ = ["starter", "world"]
