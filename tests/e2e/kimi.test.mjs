// Kimi Code, over the Agent Client Protocol: see suite.mjs for what every harness must do.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { clis } from './clis.mjs';
import { suite } from './suite.mjs';

// With variables it has one model only; here it has those of its config.
const config = url => `default_model = "fake-large"

[providers.fake]
type = "openai"
base_url = "${url}/v1"
api_key = "sk-loopback"
${['fake-large', 'fake-small'].map(model => `
[models.${model}]
provider = "fake"
model = "${model}"
max_context_size = 200000
capabilities = ["image_in", "thinking", "tool_use"]
support_efforts = ["low", "high"]
`).join('')}`;

const cli = {
  ...clis.kimi,
  setUp(home, cloud, harness) {
    const path = join(home, '.kimi-code/config.toml');
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, config(cloud.url));
    return clis.kimi.install(home, harness);
  },
};

// What it has deleted stays in an index of its own.  What it was asked and did not answer it asks again with
// what is asked next.
suite({
  name: 'kimi',
  cli,
  logIn: /run kimi login/,
  install: /npm install -g @moonshot-ai\/kimi-code/,
  model: { id: 'fake-small' },
  shares: true,
  goesOn: 'aloud',
});
