// What a request may count on beside its answer: the model that it names, one run, and peace from its neighbours.
import { effortChecks } from './effort.mjs';
import { modelChecks } from './models.mjs';
import { neighbourChecks } from './neighbours.mjs';
import { repeatChecks } from './repeats.mjs';
import { structuredChecks } from './structured.mjs';
import { usageChecks } from './usage.mjs';

export function requestChecks(harness) {
  const { shares, check } = harness;

  check('its models can be asked for, and a turn runs once and costs its neighbours nothing', async (t, started) => {
    await modelChecks(t, harness, started);
    await repeatChecks(t, harness, started);
    await structuredChecks(t, harness, started);
    await effortChecks(t, harness, started);
    await usageChecks(t, harness, started);
    if (shares)
      await neighbourChecks(t, harness, started);
  });
}
