/* Linked with -ffast-math: loading it flushes denormals in that thread. For peer_opencv.py. */
int flush_denormals_loaded;
