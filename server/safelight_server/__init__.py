"""The Safelight server: queue, history, files and events, without ever importing torch."""
