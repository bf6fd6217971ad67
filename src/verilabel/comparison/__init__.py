"""Two bundles, or one bundle under several rubrics: replication, paired comparison, lens, impact."""
