"""Read-only rollups of labelers and projects."""
