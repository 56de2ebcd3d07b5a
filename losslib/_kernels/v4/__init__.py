"""Kernels compiled for one instruction set."""
