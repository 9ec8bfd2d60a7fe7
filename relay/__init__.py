"""The relay: everything that the operator runs; it never sees a key or a plaintext."""
