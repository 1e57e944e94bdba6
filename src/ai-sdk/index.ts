export type {
  CallOptionsOf,
  RoutableModel,
  RoutedModel,
  SdkEmbeddingModel,
  SdkLanguageModel,
  SdkMediaModel,
} from "./model-types.ts";
export { type ModelNeeds, type RouteModelOptions, routeModel } from "./route-model.ts";
