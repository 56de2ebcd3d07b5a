#: Capsules of the kernels, by the name of the struct.
kernels: dict[str, object]
