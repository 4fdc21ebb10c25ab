//! Integration tests of the renderer.
