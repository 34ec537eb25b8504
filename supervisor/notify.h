#pragma once
/* notify - tells systemd the state of the daemon, if systemd started it */

/* "READY=1"; see sd_notify(3).  Does nothing without systemd. */
void notify(const char *what);
