#include "workers/executor/docker/container.h"

static json_t *
host_config(const struct slot *s)
{
	const struct docker_settings *d = &s->terms->settings;
	json_t *config = json_pack(
		"{s:b, s:o, s:I, s:I, s:I, s:[s], s:[s], s:b, s:{s:s}, "
		"s:{s:s}, s:{s:s}}",
		"AutoRemove", 1, "Mounts", mounts_json(&s->mounts), "Memory",
		(json_int_t)d->memory, "MemorySwap", (json_int_t)d->memory,
		"NanoCpus", (json_int_t)d->nano_cpus, "CapDrop", "ALL",
		"SecurityOpt", "no-new-privileges", "ReadonlyRootfs", 1,
		"Tmpfs", "/tmp", "rw,exec,nosuid,nodev,mode=1777",
		"RestartPolicy", "Name", "no", "LogConfig", "Type", "none");

	if (d->pids)
		json_object_set_new(config, "PidsLimit",
				    json_integer((json_int_t)d->pids));
	if (s->terms->egress)
		json_object_set_new(config, "NetworkMode", json_string("none"));
	else if (d->network)
		json_object_set_new(config, "NetworkMode",
				    json_string(d->network));
	return config;
}

static json_t *
environment(const struct slot_terms *t)
{
	json_t *all = json_pack("[o]", json_sprintf("HOME=%s", t->home));

	for (size_t i = 0; i < t->variables.len; i++)
		json_array_append_new(all, json_string(t->variables.ptr[i]));
	return all;
}

json_t *
container_describe(const struct slot *s)
{
	const struct slot_terms *t = s->terms;

	return json_pack(
		"{s:s, s:[s], s:[], s:s, s:o, s:s, s:b, s:b, s:b, s:b, s:b, "
		"s:b, s:{s:s}, s:o}",
		"Image", t->settings.image, "Entrypoint", SLOT_PROGRAM, "Cmd",
		"User", t->uid_gid, "Env", environment(t), "WorkingDir", "/",
		"OpenStdin", 1, "StdinOnce", 1, "AttachStdin", 1,
		"AttachStdout", 1, "AttachStderr", 1, "Tty", 0, "Labels",
		CONTAINER_LABEL, t->mark, "HostConfig", host_config(s));
}

bool
container_is_ours(const struct slot *s, const json_t *container)
{
	const json_t *config = json_object_get(container, "Config");
	const char *owner =
		json_text(json_object_get(config, "Labels"), CONTAINER_LABEL);

	return owner && !strcmp(owner, s->terms->mark);
}
