"""The one pipeline of every call: its effects, its two drivers, and the transport beneath them."""
