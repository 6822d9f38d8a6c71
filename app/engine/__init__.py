"""Text in, tokens out: one protocol, llama.cpp in a child process behind it, and a scripted stand-in for tests.

The desk's own process imports `protocol`, `llama` and `scripted`; `native`, `decode` and `embed` load llama.cpp and are
imported by the child process alone.
"""
