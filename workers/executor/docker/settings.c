#include "workers/executor/docker/settings.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/limits.h"
#include "workers/needs.h"

#define SCHEME "unix://"
#define USUAL_SOCKET "/var/run/docker.sock"
#define OURS "cli-bridge-" /* begins the names of our own programs */

static bool
refuse(const char *name, const char *suffix, const char *value,
       const char *right, struct error *e)
{
	auto_free char *variable = settings_variable("", name, suffix);

	return fail_with(e, ERR_INVALID, "%s is \"%s\", but must be %s",
			 variable, value, right);
}

/* "512m", "4g", "1073741824". */
static bool
read_memory(const char *text, uint64_t *bytes)
{
	static const char units[] = "bkmg";
	char *end;
	const char *unit;
	unsigned long long number;

	if (!isdigit((unsigned char)*text))
		return false;
	number = strtoull(text, &end, 10);
	unit = *end ? strchr(units, tolower((unsigned char)*end)) : units;
	if (!unit || (*end && end[1]) || number > UINT64_MAX >> 40)
		return false;
	*bytes = number << (10 * (unit - units));
	return true;
}

static bool
read_cpus(const char *text, uint64_t *nano)
{
	char *end;
	double number;

	if (!isdigit((unsigned char)*text))
		return false;
	number = strtod(text, &end);
	if (*end || !(number <= 4096))
		return false;
	*nano = (uint64_t)llround(number * 1e9);
	return true;
}

static bool
read_user(const char *text, unsigned *uid, unsigned *gid)
{
	int len = 0;

	if (!text) {
		*uid = geteuid();
		*gid = getegid();
		return true;
	}
	return isdigit((unsigned char)*text) &&
	       sscanf(text, "%9u:%9u%n", uid, gid, &len) == 2 && !text[len];
}

/* What the engine takes as a name. */
static bool
is_name(const char *text)
{
	for (const char *c = text; *c; c++)
		if (!isalnum((unsigned char)*c) &&
		    (c == text || !strchr("_.-", *c)))
			return false;
	return *text != '\0';
}

/* Only root can give away the folders that programs are to write in.  To a
 * rootless engine 0 is its own user. */
static bool
is_possible(unsigned uid)
{
	return geteuid() == 0 || uid == geteuid() || uid == 0;
}

static bool
refuse_user(const char *name, const char *value, struct error *e)
{
	auto_free char *right = copy_format(
		"%u:%u, which is who cli-bridge runs as and whose folders the "
		"CLIs use (0:0 if the engine is rootless): only root can "
		"choose "
		"another",
		geteuid(), getegid());

	return refuse(name, "DOCKER_USER", value, right, e);
}

static bool
is_directory(const char *path)
{
	struct stat s;

	return !path || (stat(path, &s) == 0 && S_ISDIR(s.st_mode));
}

static bool
is_absolute(const char *path)
{
	return !path || *path == '/';
}

/* cli-bridge-slot is asked for it with a line. */
static bool
check_program(const char *name, struct error *e)
{
	auto_free char *program = needs_program_name(name);
	size_t len = program ? strlen(program) : 0;
	bool is_line = true;

	for (size_t i = 0; i < len; i++)
		is_line = is_line && !iscntrl((unsigned char)program[i]);
	if (len < MAX_PATH && is_line)
		return true;
	return fail_with(e, ERR_INVALID,
			 "the program of %s is \"%.64s\"%s, but must have at "
			 "most %d bytes, and no line breaks or other control "
			 "characters",
			 name, program, len > 64 ? "..." : "", MAX_PATH - 1);
}

static char *
default_prefix(const char *name)
{
	return copy_format("cli-bridge-%s-pool", name);
}

bool
docker_settings_read(struct docker_settings *d,
		     const struct harness_settings *s, const char *name,
		     struct error *e)
{
	const char *mount = s->docker_oauth_mount;

	*d = (struct docker_settings){
		.size = (unsigned)s->docker_pool_size,
		.image = copy(str_of(s->docker_image)),
		.network = copy(str_of(s->docker_network)),
		.pids = s->docker_pids,
		.is_per_slot = !strcmp(mount, "per-slot"),
		.prefix = s->docker_name_prefix
				  ? copy(str_of(s->docker_name_prefix))
				  : default_prefix(name),
		.root = copy(str_of(s->docker_workspace_root)),
		.host_config = copy(str_of(s->docker_host_config_dir)),
		.container_config =
			copy(str_of(s->docker_container_config_dir)),
	};
	if (!read_memory(s->docker_memory, &d->memory))
		return refuse(name, "DOCKER_MEMORY", s->docker_memory,
			      "a number, with b, k, m or g behind it: 4g", e);
	if (!read_cpus(s->docker_cpus, &d->nano_cpus))
		return refuse(name, "DOCKER_CPUS", s->docker_cpus,
			      "a number of processors: 1.5", e);
	if (!read_user(s->docker_user, &d->uid, &d->gid))
		return refuse(name, "DOCKER_USER", s->docker_user,
			      "the numbers of a user and a group: 1000:1000",
			      e);
	if (!is_possible(d->uid))
		return refuse_user(name, s->docker_user, e);
	if (!d->is_per_slot && strcmp(mount, "share") != 0)
		return refuse(name, "DOCKER_OAUTH_MOUNT", mount,
			      "share or per-slot", e);
	if (!is_name(d->prefix))
		return refuse(name, "DOCKER_NAME_PREFIX", d->prefix,
			      "letters, digits, and then also _, . and -", e);
	if (!allowed_read(&d->allowed, s->net))
		return refuse(name, "NET", s->net, ALLOWED_RIGHT, e);
	if (s->net && d->network)
		return refuse(name, "DOCKER_NETWORK", d->network,
			      "unset where _NET or BRIDGE_NET says which hosts "
			      "containers may reach, for they have no other "
			      "network then",
			      e);
	if (!is_absolute(d->root))
		return refuse(name, "DOCKER_WORKSPACE_ROOT", d->root,
			      "an absolute path", e);
	if (!is_directory(d->root))
		return refuse(name, "DOCKER_WORKSPACE_ROOT", d->root,
			      "a directory that is there: make it", e);
	if (!is_absolute(d->host_config))
		return refuse(name, "DOCKER_HOST_CONFIG_DIR", d->host_config,
			      "an absolute path", e);
	if (!is_absolute(d->container_config))
		return refuse(name, "DOCKER_CONTAINER_CONFIG_DIR",
			      d->container_config, "an absolute path", e);
	return check_program(name, e);
}

bool
docker_settings_give(const struct docker_settings *d, int fd)
{
	return geteuid() != 0 || d->uid == 0 || fchown(fd, d->uid, d->gid) == 0;
}

void
docker_settings_fini(struct docker_settings *d)
{
	free(d->image);
	free(d->network);
	allowed_fini(&d->allowed);
	free(d->root);
	free(d->host_config);
	free(d->container_config);
	free(d->prefix);
	memset(d, 0, sizeof *d);
}

/* The setting for all harnesses means those that have a CLI; what answers by
 * itself, such as echo, has nothing to put into a container. */
bool
docker_is_wanted(const struct harness_settings *s, const char *name,
		 struct error *e)
{
	auto_free char *program = needs_program_name(name);

	bool has_cli = program && strncmp(program, OURS, strlen(OURS)) != 0;
	bool is_docker = !strcmp(s->executor, "docker");

	if (!is_docker && strcmp(s->executor, "host") != 0)
		return refuse(name, "EXECUTOR", s->executor, "host or docker",
			      e);
	if (!is_docker && has_cli && s->net)
		return refuse(
			name, "NET", s->net,
			"unset where the executor is host: only what runs "
			"in containers can be kept from the network, "
			"which _EXECUTOR=docker does",
			e);
	if (!is_docker || !has_cli)
		return false;
	if (s->jail && strcmp(s->jail, "off") != 0)
		return refuse(name, "JAIL", s->jail,
			      "off where CLIs run in containers", e);
	return true;
}

char *
docker_host_socket(const char *docker_host, struct error *e)
{
	struct str host = str_of(docker_host), path;

	if (!host.len)
		return copy(STR(USUAL_SOCKET));
	path = str_starts(host, STR(SCHEME)) ? str_from(host, strlen(SCHEME))
					     : STR("");
	if (!path.len || *path.ptr != '/')
		fail_with(e, ERR_NOT_SET_UP,
			  "DOCKER_HOST is \"%s\", but only a socket of "
			  "this machine can be used, such as \"" SCHEME
				  USUAL_SOCKET "\"",
			  docker_host);
	else if (path.len >= sizeof((struct sockaddr_un){ 0 }).sun_path)
		fail_with(e, ERR_NOT_SET_UP,
			  "DOCKER_HOST is the path of a socket that is too "
			  "long: %s",
			  path.ptr);
	else
		return copy(path);
	return NULL;
}
