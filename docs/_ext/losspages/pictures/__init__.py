"""Pictures of losses, drawn by the installed kernels."""
