"""The interop matrix: what each client does with a broker, cell by cell. Started by scripts/interop/matrix."""
