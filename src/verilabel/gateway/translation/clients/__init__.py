"""The APIs that clients speak: their requests are read here, their replies and streams written."""
