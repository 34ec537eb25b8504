#pragma once
/* notify - tells systemd, if it has started us, what we are up to */

/* "READY=1"; see sd_notify(3).  Nobody there: nothing happens. */
void notify(const char *what);
