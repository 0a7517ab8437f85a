/** Which component draws which kind of widget. */

import type { ComponentType } from "react";
import { ComboField, JsonField, LineField, ToggleField } from "@/widgets/fields";
import { ImageField } from "@/widgets/ImageField";
import type { WidgetKind } from "@/widgets/kinds";
import { NumberField } from "@/widgets/NumberField";
import { ParagraphField } from "@/widgets/ParagraphField";
import { SeedField } from "@/widgets/SeedField";
import type { WidgetProps } from "@/widgets/widget";

export const WIDGETS: Readonly<Record<WidgetKind, ComponentType<WidgetProps>>> = {
  integer: NumberField,
  decimal: NumberField,
  seed: SeedField,
  line: LineField,
  paragraph: ParagraphField,
  combo: ComboField,
  toggle: ToggleField,
  image: ImageField,
  json: JsonField,
};
