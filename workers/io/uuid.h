#pragma once
/* uuid - random ids */

/* A random UUID, as RFC 4122, section 4.4 has it.  The caller frees it. */
char *new_uuid(void);
