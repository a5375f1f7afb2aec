"""Items, media, blobs, ingest: what there is to label."""
