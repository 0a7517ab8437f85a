/** The colour of a wire type: equal lightness and chroma, so that only the hue tells them apart. */

const HUES: Readonly<Record<string, number>> = {
  MODEL: 292,
  CLIP: 95,
  VAE: 22,
  CONDITIONING: 60,
  LATENT: 345,
  IMAGE: 248,
  MASK: 150,
  CONTROL_NET: 185,
  STRING: 165,
  INT: 120,
  FLOAT: 135,
  BOOLEAN: 105,
};

/** The hue of a type in degrees; unknown types get one from their name, always the same. */
export function hueOf(type: string): number {
  const known = HUES[type];
  if (known !== undefined) {
    return known;
  }
  let hash = 0;
  for (const letter of type) {
    hash = (hash * 31 + letter.charCodeAt(0)) % 360;
  }
  return hash;
}
