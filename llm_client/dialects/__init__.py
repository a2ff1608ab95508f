"""One file per wire format: pure encoding and decoding. Sans-I/O."""
