#include "workers/executor/cwd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A path may be longer than an error's text: so it comes last. */
bool
cwd_check(const char *cwd, struct error *e)
{
	struct stat st;

	if (cwd[0] != '/')
		return fail_about(e, ERR_BAD_CWD,
				  "cwd must be an absolute path, and is: %s",
				  cwd);
	if (stat(cwd, &st) < 0)
		return fail_about(e, ERR_BAD_CWD, "cwd cannot be used: %s: %s",
				  strerrordesc_np(errno), cwd);
	if (!S_ISDIR(st.st_mode))
		return fail_about(e, ERR_BAD_CWD, "cwd is not a directory: %s",
				  cwd);
	if (faccessat(AT_FDCWD, cwd, R_OK | X_OK, AT_EACCESS) < 0)
		return fail_about(e, ERR_BAD_CWD,
				  "cwd may not be entered and read by the user "
				  "that the bridge runs as: %s: %s",
				  strerrordesc_np(errno), cwd);
	return true;
}
