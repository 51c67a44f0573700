"""The clinical core: facts, rules, numbers and codes. Imports only itself and the standard library."""
