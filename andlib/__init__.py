"""Audio network dissection: what single neurons of audio networks respond to, in words."""
