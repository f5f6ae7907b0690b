"""C2PA manifests: build, sign, read, trust."""
