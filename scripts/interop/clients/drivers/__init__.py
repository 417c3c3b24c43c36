"""One module a client. Each is a program with the verbs of verbs.py; the Go and Java drivers have the same ones."""
